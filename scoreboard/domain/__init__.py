"""What a leaderboard is: actions, boards, standings, outcomes. No driver, no framework."""
