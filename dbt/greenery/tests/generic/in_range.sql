{#
    A number lies between two limits, both included; unless told, from 0 to what money columns hold.
    A null passes, "not a number" does not: Postgres sorts it above every number.
#}
{% test in_range(model, column_name, min_value=0, max_value=9999999999.99) %}

    select {{ column_name }}
    from {{ model }}
    where not {{ column_name }} between {{ min_value }} and {{ max_value }}

{% endtest %}
