import os

from scoreboard_client import Journal, Scoreboard


def token() -> str:  # called again whenever the service refuses the last one
    return os.environ["SCOREBOARD_TOKEN"]


with Scoreboard(
    os.environ["SCOREBOARD_URL"],
    token=token,
    store=Journal("scores.journal"),  # what is not settled when the process ends is sent next time
    on_retry=lambda retry: print(f"{retry.error} Again in {retry.seconds:.1f} s."),
) as scores:
    counted = scores.submit("ada", 15).result()
    print(f"{counted.user_id} has {counted.score} points and is number {counted.rank}")
    for place in scores.table():
        print(place.rank, place.user_id, place.score)
