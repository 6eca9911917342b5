{#
    The open version of each key says what its row in the source says, and every row has one.
    Arguments: `to`, the source; `field`, what the key is called there, if not `key`; `same`, columns of
    the snapshot and what they are in the source. In the daily run only rows that were loaded since the
    last publication are looked at.
#}
{% test same_as_source(model, to, key, same, field=none) %}

    {%- set source_key = field or key %}
    {%- set load = since_tested(published_horizon()) %}

    with

    open_versions as (

        select {{ key }}, {{ same.keys() | join(', ') }}
        from {{ model }}
        where
            dbt_valid_to is null
            {% if load is not none -%}
                and {{ key }} in (select {{ source_key }} from {{ to }} where _load_id > {{ load }})
            {%- endif %}

    ),

    present as (

        select {{ source_key }}, {{ same.values() | join(', ') }}
        from {{ to }}
        {% if load is not none -%} where _load_id > {{ load }} {%- endif %}

    )

    (select * from open_versions except all select * from present)
    union all
    (select * from present except all select * from open_versions)

{% endtest %}
