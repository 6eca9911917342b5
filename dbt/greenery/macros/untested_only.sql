{#
    The condition by which a test in a file reads only what belongs to keys that changed since the
    last publication, in the daily run; `true` when it must read everything.

    column    of what is read
    changed   what changes it: {model: column}. Of a staging view that is a column whose old values
              raw's change log tells, of a model that is built by its changes one of unique_key and
              change_key
    type      of the column
    keys_of   models of which the test reads no more than unique_key and change_key
#}
{% macro untested_only(column, changed, type='text', keys_of=[]) -%}
    {%- set keys = [] -%}
    {%- if is_tested_before() -%}
        {%- for name, key in changed.items() -%}
            {%- if name.startswith('stg_') -%}
                {%- set load = query_scalar(published_load(name)) -%}
                {%- if load is not none -%}
                    {# what a row belongs to now, and what it no longer belongs to #}
                    {%- set found -%}
                        select {{ key }} from {{ ref(name) }} where load_id > {{ load }}
                        union
                        select cast(old_key ->> '{{ key }}' as {{ type }}) from raw.change_log
                        where table_name = '{{ name.split('__')[1] }}' and load_id > {{ load }}
                    {%- endset -%}
                    {%- do keys.append(found) -%}
                {%- endif -%}
            {%- else -%}
                {%- set version = query_scalar(published_version(name)) -%}
                {%- if version is not none -%}
                    {%- set found -%}
                        select cast(key ->> '{{ key }}' as {{ type }}) from ops.model_change
                        where model = '{{ name }}' and version > {{ version }}
                        {%- if name in keys_of %} and is_key_change {%- endif %}
                    {%- endset -%}
                    {%- do keys.append(found) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if keys | length == changed | length -%}
        {{ column }} in ({{ limit_if_few(keys | join(' union ')) }})
    {%- else -%} true
    {%- endif -%}
{%- endmacro %}
