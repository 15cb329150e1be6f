"""Where webhooks may go, by the settings: for those who set webhooks up, which the service and a
command do, and for those who deliver."""

from __future__ import annotations

from scoreboard.domain.webhook_targets import WebhookTargets
from scoreboard.errors import ConfigurationError
from scoreboard.settings import Settings


def webhook_targets(settings: Settings) -> WebhookTargets:
    """Where webhooks may go. Raises ConfigurationError."""
    try:
        return WebhookTargets(settings.webhook_networks)
    except ValueError as error:
        raise ConfigurationError(f"SCOREBOARD_WEBHOOK_NETWORKS: {error}") from error
