{#
    The model's SQL as it reads no more than what belongs to the touched keys: touched() becomes the
    condition for which it holds the place. Of a model without a key that is its SQL as it is.
#}
{% macro read_touched(sql) %}
    {%- set key = model.config.meta.get('build', {}).key -%}
    {%- if not key -%} {{ return(sql) }} {%- endif -%}
    {%- set place = 'true /[*] touched: (.*?) [*]/' -%}
    {%- if not modules.re.search(place, sql) -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ' has the key ' ~ key ~ " but reads its whole history: there is no touched() in "
            ~ "its compiled SQL. Say `where {{ touched('" ~ key ~ "') }}` where it first reads its "
            ~ 'parents, or take meta.build away: then each run works it out whole.'
        ) }}
    {%- endif -%}
    {{ return(modules.re.sub(place, '\\1 in (select touched_keys.key from touched_keys)', sql)) }}
{% endmacro %}
