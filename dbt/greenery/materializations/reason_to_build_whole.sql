{#
    Why the whole model must be built, in words, or none if rebuilding the changed keys will do.
    A watermark ahead of its source is no reason but an error: something was undone behind dbt's back.
#}
{% macro reason_to_build_whole(existing, state, definition, sources) %}
    {%- if existing is none -%} {{ return('it is not there yet') }} {%- endif -%}
    {%- if should_full_refresh() -%} {{ return('a full refresh was asked for') }} {%- endif -%}
    {%- if state is none or state.relation_oid != state.present_oid -%}
        {{ return('its table was made by something else') }}
    {%- endif -%}
    {%- if state.definition_hash is none -%} {{ return('it was asked for') }} {%- endif -%}
    {%- if state.definition_hash != definition -%}
        {{ return('its definition, or that of something it reads, has changed') }}
    {%- endif -%}
    {%- for source in sources -%}
        {%- if source.since is none or source.since < source.changes_since -%}
            {{ return('not all changes of ' ~ source.name ~ ' are told') }}
        {%- endif -%}
    {%- endfor -%}
    {%- for source in sources if source.since > source.upto -%}
        {{ exceptions.raise_compiler_error(
            'The watermark of ' ~ model.name ~ ' on ' ~ source.name ~ ' is ' ~ source.since
            ~ ', but the last one there is ' ~ source.upto ~ '. Was an older state put back? '
            ~ 'Build ' ~ model.name ~ ' whole: run the DAG with full_refresh.'
        ) }}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}
