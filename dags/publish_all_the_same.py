"""
### Ask a person: publish all the same?

**What** Asks of a daily run that failed of nothing but what an operator may let through by a
command: a snapshot that lost more than half of its rows, a test. The question has the facts. A yes
does what the command does (`confirm_shrunk`, an override for one run) and starts a daily run; a no,
or silence, does nothing. It is answered under **Required Actions**, with a note for everybody.

**When** After such a run, if `GREENERY_ASK_HOURS` says for how long a question waits; without it
nobody is asked. Not by hand: there would be nothing to ask. The failed run is over, and the next
one does not wait for the answer.

**Rerun** Does no harm: an answer that comes after another run has begun is refused.

**Who hears** The message about the failed run has the link to the question, and then the answer.
"""

from airflow.sdk import dag

from elt.airflow.assets import QUESTION
from elt.airflow.operator_tasks import ask_person, run_again, take_answer
from elt.airflow.run_tasks import ON_REQUEST


# an older question does not hold up a newer one
@dag(**{**ON_REQUEST, "schedule": [QUESTION], "max_active_runs": 16}, doc_md=__doc__)
def publish_all_the_same():
    run_again(take_answer(ask_person().output))


publish_all_the_same()
