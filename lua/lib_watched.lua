-- Notes who moved, for clients that watch players of the board. A part of submit_scores, whose locals it
-- uses. The stream is there only while somebody watches (watch_board).
local function note_move(name, user, before, after)
  call('XADD', key_moves, 'NOMKSTREAM', 'MAXLEN', '~', 10000, '*', 't', name, 'u', user,
    'b', before or '-inf', 'a', after)
end
