{#
    The model's SQL as it reads no more than what belongs to the keys to rebuild: only_changed_keys()
    becomes the condition for which it holds the place. Of a model without a key that is its SQL as it is.
#}
{% macro read_changed_keys(sql) %}
    {%- set key = model.config.meta.get('build', {}).key -%}
    {%- if not key -%} {{ return(sql) }} {%- endif -%}
    {%- set place = 'true /[*] only_changed_keys: (.*?) [*]/' -%}
    {%- if not modules.re.search(place, sql) -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ' has the key ' ~ key ~ ' but reads its whole history: there is no '
            ~ "only_changed_keys() in its compiled SQL. Say `where {{ only_changed_keys('" ~ key
            ~ "') }}` where it first reads its parents, or take meta.build away: then each run works it out whole."
        ) }}
    {%- endif -%}
    {{ return(modules.re.sub(place, '\\1 in (select keys_to_rebuild.key from keys_to_rebuild)', sql)) }}
{% endmacro %}
