{#
    SQL of the keys to rebuild because of one source: those that its changed rows had before and have
    now, in the type of the model's key. With `through`, a relation that has both columns, from the
    source's column to the model's key, which may have another name there, `through_key`.
#}
{% macro keys_to_rebuild(source, key, data_type) %}
    {%- set type = 'text' if source.through else data_type -%}
    {%- set news -%}
        {%- if source.table -%}
            select cast({{ source.column }} as {{ type }}) as key
            from {{ source.name }}
            where _load_id > {{ source.since }} and _load_id <= {{ source.upto }}
            union
            select cast(side.key ->> '{{ source.column }}' as {{ type }})
            from raw.change_log
            cross join lateral (values (old_key), (new_key)) as side (key)
            where
                table_name = '{{ source.table }}'
                and load_id > {{ source.since }} and load_id <= {{ source.upto }}
        {%- elif source.snapshot -%}
            select cast({{ source.column }} as {{ type }}) as key
            from {{ ref(source.snapshot) }}
            where load_id > {{ source.since }} and load_id <= {{ source.upto }}
        {%- else -%}
            select distinct cast(key ->> '{{ source.column }}' as {{ type }}) as key
            from {{ build_state('model_change') }}
            where
                model = '{{ source.name }}'
                and version > {{ source.since }} and version <= {{ source.upto }}
                {%- if source.reads == 'key' %} and is_key_change {%- endif %}
        {%- endif -%}
    {%- endset -%}
    {%- if source.through -%}
        select {{ source.through_key or key }} as key
        from {{ this if source.through == model.name else ref(source.through) }}
        where {{ source.column }} in (select news.key from ({{ news }}) as news)
    {%- else -%}
        {{ news }}
    {%- endif -%}
{% endmacro %}
