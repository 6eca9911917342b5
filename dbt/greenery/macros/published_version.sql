{#
    SQL: the version of a model that was published last, or null if not all that has changed since
    then is known.
#}
{% macro published_version(name) -%}
    (select watermark.position from ops.model_state as state
    inner join ops.model_watermark as watermark on state.model = watermark.source
    where state.model = '{{ name }}' and watermark.model = 'publish'
    and watermark.position between state.changes_since and state.version)
{%- endmacro %}
