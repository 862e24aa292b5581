"""Visitors by the thousand: honest ones, absent ones and cheats, and the checks of what the gate did."""
