-- A message of its own every morning: the numbers of the day before.
set local role loader;

alter table ops.notification
    drop constraint notification_kind_check,
    add constraint notification_kind_check
        check (kind in ('alert', 'reply', 'resolved', 'reminder', 'warnings', 'late', 'morning'));
