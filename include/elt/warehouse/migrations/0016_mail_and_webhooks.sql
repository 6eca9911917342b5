-- Messages go by mail and to webhooks as well: each says which Airflow connection sends it.
set local role loader;

alter table ops.notification add column connection_id text not null default 'greenery_slack';
comment on column ops.notification.connection_id is
    'The Airflow connection that it is sent by. A mail''s addresses stand there, not here.';
comment on table ops.notification is
    'What each message in Slack, mail or webhook is to show, written before it is sent. The key keeps it single; '
    'in Slack a new version of the payload is an update in place.';
