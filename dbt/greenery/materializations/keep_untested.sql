{#
    Put the rows that changed since the last publication beside the model, in the schema `untested`:
    the model's tests read them there, each of them as few rows as possible. No such table: the whole
    model is to be tested. It is emptied, not dropped, so that whoever reads it (a backup) does not
    stop the build. Within the caller's transaction; in the daily run only.
#}
{% macro keep_untested(target_relation) %}
    {%- if target.name == 'prod' -%}
        {%- set untested = 'untested.' ~ adapter.quote(model.name) -%}
        {%- set since = query_scalar(published_version(model.name)) -%}
        {%- set key = row_key(model) | join(', ') -%}
        {%- set keep -%}
            {%- if since is none -%}
            drop table if exists {{ untested }}
            {%- else -%}
            drop table if exists pg_temp.untested_keys;
            create temporary table untested_keys on commit drop as
            select distinct
                {%- set columns = adapter.get_columns_in_relation(target_relation) -%}
                {%- for column in columns if column.name in row_key(model) %}
                {{ ', ' if not loop.first -}}
                cast(key ->> '{{ column.name }}' as {{ column.data_type }}) as {{ column.name }}
                {%- endfor %}
            from ops.model_change
            where model = '{{ model.name }}' and version > {{ since }}
            order by {{ key }};
            analyze untested_keys;
            create unlogged table if not exists {{ untested }} (like {{ target_relation }});
            delete from {{ untested }};
            insert into {{ untested }}
            select present.*
            from untested_keys
            inner join {{ target_relation }} as present using ({{ key }});
            analyze {{ untested }}
            {%- endif -%}
        {%- endset -%}
        {% do run_query(keep) %}
    {%- endif -%}
{% endmacro %}
