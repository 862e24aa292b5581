"""What is started beside the gateway: programs of a few lines, and the script for wrk."""
