{#
    The condition by which a model of the materialization incremental_by_key reads only what belongs
    to the keys it rebuilds. It stands where the model reads its parents, so that Postgres can use
    an index there. As compiled it is true: that is the model's SQL over the whole history.
#}
{% macro only_changed_keys(column) -%}
    true /* only_changed_keys: {{ column }} */
{%- endmacro %}
