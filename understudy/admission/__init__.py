"""Admission: whether a run may begin now - a newer commit of its branch, places, memory, disk, networks."""
