"""Who is asking: identity checks behind one interface. They were the real bottleneck of July 2021."""
