"""What goes over the wire when a request is carried, byte for byte: one table of cases, played against two gateways."""
