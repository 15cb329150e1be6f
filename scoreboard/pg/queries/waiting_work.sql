-- name: look
-- A column for each job, true when it has or may have something to do; it finds out itself what that is. So
-- everything that makes it work has to be seen here. Each is one look at an index, or at a table that has
-- few rows at most.
--
-- $1 is Redis's time (Unix ms), null when nobody knows. Next is the first moment, then or later, at which an
-- occurrence ends or can be made final: of those that have not ended the first end, by its index; of those that
-- have, few are not final. Of a board that is being removed there is none.
SELECT coalesce((SELECT min(ends_at) FROM period_occurrence WHERE state <> 'final') <= $1::bigint,
                false) AS periods,
       EXISTS (SELECT FROM period_occurrence
               WHERE unranked IS NOT NULL AND state = 'final' AND NOT pruned) AS ranks,
       EXISTS (SELECT FROM profile_change)
           OR EXISTS (SELECT FROM profile_recheck) AS profiles,
       -- Also what was erased: some of it may come back with another history of Redis.
       EXISTS (SELECT FROM erased_player) AS erasures,
       EXISTS (SELECT FROM webhook CROSS JOIN LATERAL (
                   SELECT FROM outside_event AS event
                   WHERE event.webhook = webhook.id AND state = 'waiting' AND due <= now()
                   LIMIT 1) AS next) AS deliveries,
       EXISTS (SELECT FROM webhook WHERE 'top.changed' = ANY (events)) AS tops,
       least((SELECT ends_at FROM period_occurrence JOIN board USING (board)
              WHERE state <> 'final' AND ends_at >= $1 ORDER BY ends_at LIMIT 1),
             (SELECT min(final_at) FROM period_occurrence JOIN board USING (board)
              WHERE state <> 'final' AND ends_at < $1 AND final_at >= $1)) AS next_end
