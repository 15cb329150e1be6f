"""The WebSockets: from the channel of a board to every client of this process."""
