"""What Python, Lua and clients share: keys, events, receipts, messages, script signatures."""
