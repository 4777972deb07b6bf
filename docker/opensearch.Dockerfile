# OpenSearch with the phonetic analyzers that our index template needs.
FROM opensearchproject/opensearch:3.8.0
RUN /usr/share/opensearch/bin/opensearch-plugin install --batch analysis-phonetic
