-- Due deliveries are leased by subscription, so that no one's backlog stands in front of another's.
DROP INDEX deliveries_by_readiness;
CREATE INDEX deliveries_by_readiness ON deliveries (subscription, ready_at, id) WHERE state = 'pending';
