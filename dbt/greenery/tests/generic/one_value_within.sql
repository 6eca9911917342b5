{# All rows of a group agree on a column. A null agrees with everything. #}
{% test one_value_within(model, column_name, group_by) %}

    select {{ group_by }}
    from {{ model }}
    group by {{ group_by }}
    having min({{ column_name }}) <> max({{ column_name }})

{% endtest %}
