"""A compiled spec on this machine: each container's command in a process of its own, with a folder for the bucket."""
