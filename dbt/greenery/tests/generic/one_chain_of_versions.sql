{#
    The versions of each key follow each other without a gap or an overlap, each differs from the
    one before, and the last one alone is open.
#}
{% test one_chain_of_versions(model, key, checked) %}

    with

    versions as (

        select
            {{ key }},
            dbt_valid_from,
            dbt_valid_to,
            lead(dbt_valid_from) over next_of_key as next_valid_from,
            row({{ checked | join(', ') }}) as said,
            lead(row({{ checked | join(', ') }})) over next_of_key as said_next
        from {{ model }}
        window next_of_key as (partition by {{ key }} order by dbt_valid_from)

    )

    select {{ key }}, dbt_valid_from, dbt_valid_to
    from versions
    where
        dbt_valid_to is distinct from next_valid_from
        or dbt_valid_to <= dbt_valid_from
        or (next_valid_from is not null and said is not distinct from said_next)

{% endtest %}
