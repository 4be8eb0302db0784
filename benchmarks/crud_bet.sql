\set account random(1, 10000)
\set event random(1, 40)
\set stake random(100, 5000)
BEGIN;
SELECT balance_minor FROM crud_account WHERE id = :account FOR UPDATE;
SELECT status, max_stake_minor FROM crud_event WHERE id = :event;
INSERT INTO crud_bet (account_id, event_id, selection, stake_minor, odds, status) VALUES (:account, :event, 'home', :stake, 2.05, 'open');
INSERT INTO crud_transaction (account_id, amount_minor, kind) VALUES (:account, 0 - :stake, 'stake');
UPDATE crud_account SET balance_minor = balance_minor - :stake WHERE id = :account;
COMMIT;
