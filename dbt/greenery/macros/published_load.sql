{#
    SQL: the last load whose rows in a staging view have passed the test that is compiled, or null if
    that is not known: those of the last publication, if the view was no other one then.
#}
{% macro published_load(view) -%}
    (select publication.horizon_load_id from ops.model_state as state
    cross join (select horizon_load_id from ops.publication
    where undone_at is null order by publication_id desc limit 1) as publication
    where state.model = '{{ view }}' and state.definition_hash is not null
    and state.defined_moment < (select max(moment) from ops.node_result
    where unique_id = '{{ model.unique_id }}'))
{%- endmacro %}
