"""The way of a score action into Redis: gathered, judged, counted, and as durable as asked."""
