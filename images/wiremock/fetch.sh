#!/bin/sh
# Leaves the pinned jar in /jar: the one that setup fetched with this machine's Maven, else one by Debian's Maven.
set -e
version=3.13.1
sum=bdf4c705e7fd61c778e59a19f75396eac4520efeabfac97643a53979bd4d5716
cd /jar
if [ ! -f wiremock-standalone.jar ]; then
    apt-get update
    apt-get install -y maven
    mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy \
        -Dartifact=org.wiremock:wiremock-standalone:$version -DoutputDirectory=/jar -Dmdep.stripVersion=true
fi
echo "$sum  wiremock-standalone.jar" | sha256sum -c -
