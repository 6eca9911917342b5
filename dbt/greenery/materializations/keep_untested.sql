{#
    Put the rows that changed since the last publication beside the model, in the schema `untested`:
    the model's tests read them there, each of them as few rows as possible. No such table: the whole
    model is to be tested. It is emptied, not dropped, so that whoever reads it (a backup) does not
    stop the build. Within the caller's transaction; in the daily run only.
#}
{% macro keep_untested(target_relation) %}
    {%- if target.name == 'prod' -%}
        {%- set untested = 'untested.' ~ adapter.quote(model.name) -%}
        {%- set since = ask(published_version(model.name)) -%}
        {%- if since is none -%}
            {% do run_query('drop table if exists ' ~ untested) %}
        {%- else -%}
            {%- set key_columns = row_key(model) -%}
            {%- set keys = [] -%}
            {%- for column in adapter.get_columns_in_relation(target_relation)
                if column.name in key_columns -%}
                {%- do keys.append(
                    "cast(key ->> '" ~ column.name ~ "' as " ~ column.data_type ~ ") as " ~ column.name
                ) -%}
            {%- endfor -%}
            {% do run_query(
                'drop table if exists pg_temp.untested_keys; '
                ~ 'create temporary table untested_keys on commit drop as select distinct '
                ~ keys | join(', ') ~ " from ops.model_change where model = '" ~ model.name
                ~ "' and version > " ~ since ~ ' order by ' ~ key_columns | join(', ')
                ~ '; analyze untested_keys; '
                ~ 'create unlogged table if not exists ' ~ untested ~ ' (like ' ~ target_relation
                ~ '); delete from ' ~ untested
                ~ '; insert into ' ~ untested ~ ' select present.* from untested_keys'
                ~ ' inner join ' ~ target_relation ~ ' as present using (' ~ key_columns | join(', ')
                ~ '); analyze ' ~ untested
            ) %}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
