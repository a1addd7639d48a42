package enum CatalogContractsVersion {}
