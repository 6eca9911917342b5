{#
    The settings of a test of usual numbers. One test says both that a day is odd, which warns, and
    that next to nothing came, which stops the run: its count is above zero for as many errors, below
    zero for as many warnings alone.
#}
{% macro how_usual_warns() -%}
    {{ return({
        'fail_calc': 'coalesce(nullif(count(*) filter (where is_error), 0), -count(*))',
        'error_if': '>0',
        'warn_if': '!=0',
    }) }}
{%- endmacro %}
