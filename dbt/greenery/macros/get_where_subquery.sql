{#
    What a generic test reads of its model; dbt asks for it by this name. It keeps dbt's `where`.

    In the daily run that is what came since the last publication (rows of a staging view by their
    load, rows of a model built by changes as it noted them), for what was there before has passed
    the test before. A test that compares rows with each other reads all rows that share with a new
    one what it groups by. Whatever is not known here reads the whole: another kind of test, another
    kind of model.
#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where') -%}
    {%- set part = untested_part(relation) if execute and model.attached_node else none -%}
    {%- if part -%}
        (select * from {{ part }} {%- if where %} and ({{ where }}) {%- endif %}) as untested
    {%- elif where -%}
        (select * from {{ relation }} where {{ where }}) as dbt_subquery
    {%- else -%}
        {{ return(relation) }}
    {%- endif -%}
{%- endmacro %}
