{#
    An instant can be one of the business: no placeholder (1970-01-01, 9999-12-31, infinity) and nothing
    that had not happened yet when its load began. A null passes.

    ahead       how far after its load it may lie; a day, because clocks are set wrong
    after       another instant of the row, unless that one can't be itself, which its own test tells
    earlier_by  how far before that one it may lie all the same
    later_by    how far after that one it may lie

    A failing row tells its key, the instant, what is wrong with it, and the file that brought it.
#}
{% test plausible_instant(
    model, column_name, ahead='1 day', after=none, earlier_by='0 days', later_by=none
) %}

    {%- set earliest = "timestamptz '" ~ var('earliest_instant') ~ "'" %}

    with

    instants as (

        select
            *,
            case
                when {{ column_name }} < {{ earliest }} then 'before the business began'
                when {{ column_name }} > loaded_at + interval '{{ ahead }}'
                    then 'not yet when it was loaded'
                {%- if after %}
                -- what can't be itself says nothing of another instant
                when {{ after }} not between {{ earliest }} and loaded_at + interval '1 day' then null
                when {{ column_name }} < {{ after }} - interval '{{ earlier_by }}'
                    then 'before {{ after }}'
                {%- if later_by %}
                when {{ column_name }} > {{ after }} + interval '{{ later_by }}'
                    then 'more than {{ later_by }} after {{ after }}'
                {%- endif %}
                {%- endif %}
            end as problem
        from {{ model }}

    )

    select
        {% for column in tested_key() -%} instants.{{ column }}, {% endfor %}
        instants.{{ column_name }},
        {% if after -%} instants.{{ after }}, {% endif %}
        instants.problem,
        load.source_file
    from instants
    left join {{ source('ops', 'load') }} as load on instants.load_id = load.load_id
    where instants.problem is not null

{% endtest %}
