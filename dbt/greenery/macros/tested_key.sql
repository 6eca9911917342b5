{#
    The columns that identify a row of the model that the generic test that is compiled stands on.
#}
{% macro tested_key() -%}
    {%- if not execute -%} {{ return([]) }} {%- endif -%}
    {%- set tested = graph.nodes[model.attached_node] -%}
    {%- set source = graph.sources.get(tested.depends_on.nodes[0]) if tested.depends_on.nodes -%}
    {{ return(source.config.meta.extract.primary_key if source else row_key(tested)) }}
{%- endmacro %}
