{# The columns of the primary key that the model's YAML declares. #}
{% macro primary_key() %}
    {%- for constraint in model.constraints if constraint.type == 'primary_key' -%}
        {{ return(constraint.columns) }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error(
        model.name ~ ' has neither a unique_key nor a primary key. Declare one under `constraints` in '
        ~ 'its YAML, or set `materialized: table`.'
    ) }}
{% endmacro %}
