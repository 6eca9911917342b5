{# A condition holds for every row. A row for which it is null does not pass. #}
{% test holds(model, condition) %}

    select *
    from {{ model }}
    where ({{ condition }}) is not true

{% endtest %}
