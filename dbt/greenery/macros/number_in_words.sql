{# SQL: a number as people write it: 1,234 or 12.5, a share as 12.5 %, with its unit behind it. #}
{% macro number_in_words(number, scale, unit='', is_whole=false) -%}
    {%- if scale == 'share' -%}
        concat(trim_scale(round(cast(100 * {{ number }} as numeric), 1)), ' %')
    {%- else -%}
        concat(
            case
                when {{ 'true or ' if is_whole }}abs({{ number }}) >= 100
                    or abs({{ number }} - round({{ number }})) < 0.001
                    then to_char(round(cast({{ number }} as numeric)), 'FM999,999,999,999,999,990')
                else cast(trim_scale(round(cast({{ number }} as numeric), 1)) as text)
            end,
            '{{ (" " ~ unit if unit else "") | replace("'", "''") }}'
        )
    {%- endif -%}
{%- endmacro %}
