"""What the servers and their visitors have to agree on. Imports nothing: the servers start faster."""

from typing import Final

# A name that browsers know to be this machine.
HOST: Final = "site.localhost"
# Forwarded without a room: what the backend makes of a host it does not know.
OPEN_HOST: Final = "open.localhost"
# Wherever there are accounts.
USER: Final = "operator"
PASSWORD: Final = "a long enough one"
# As in `stand`: far more than anything takes.
PATIENCE_S: Final = 30.0
