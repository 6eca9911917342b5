{#
    Whether rows of a table in raw were deleted after a load, or that can't be told any more: then old
    children may have lost their parent. `parent` is the text of a call of source(), as in the YAML.
#}
{% macro are_parents_gone(parent, load) -%}
    {%- set table = modules.re.findall("'(\\w+)'", parent)[1] -%}
    {%- set is_gone -%}
        exists (
            select from raw.{{ table }}
            where _load_id > {{ load }} and _deleted_at is not null
        )
        or exists (
            select from raw.change_log
            where table_name = '{{ table }}' and change = 'delete' and load_id > {{ load }}
        )
        or exists (
            select from ops.model_state
            where model = 'raw.{{ table }}' and changes_since > {{ load }}
        )
    {%- endset -%}
    {{ return(query_scalar(is_gone)) }}
{%- endmacro %}
