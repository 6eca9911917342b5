{# The columns that identify a row of a model: its unique_key, else the primary key in its YAML. #}
{% macro row_key(node) %}
    {%- set key = node.config.unique_key -%}
    {%- if key -%} {{ return([key] if key is string else key) }} {%- endif -%}
    {%- for constraint in node.constraints if constraint.type == 'primary_key' -%}
        {{ return(constraint.columns) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        node.name ~ ' has neither a unique_key nor a primary key. Declare one under `constraints` in '
        ~ 'its YAML, or set `materialized: table`.'
    ) }}
{% endmacro %}
