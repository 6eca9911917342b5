{#
    Each row once as a part of the whole and once for each dimension: to be counted by `dimension` and
    `dimension_value` in one go. Dimensions are by name what is their value.
#}
{% macro split_by(dimensions) -%}
    cross join
        lateral (
            values
            ('all', 'all')
            {%- for name, value in dimensions.items() %},
            ('{{ name }}', {{ value }})
            {%- endfor %}
        ) as dimensions (dimension, dimension_value)
{%- endmacro %}
