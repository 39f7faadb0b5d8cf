#!/bin/sh
# A container has no init: packages must not start their services.
exit 101
