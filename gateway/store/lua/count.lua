-- Adds to the room's counters.
-- ARGV   2.. per counter: name, number
-- Returns {"ok"}
local stop = fence()
if stop then return stop end
for i = 2, #ARGV, 2 do count(ARGV[i], tonumber(ARGV[i + 1])) end
return {'ok'}
