"""Many gateways on one Redis: its primary killed, gateways started, stopped, killed and upgraded amid thousands."""
