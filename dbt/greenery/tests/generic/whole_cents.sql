{# An amount of money has no fraction of a cent: the marts would round it without a word. #}
{% test whole_cents(model, column_name) %}

    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} <> round({{ column_name }}, 2)

{% endtest %}
