package enum ProcessorContractsVersion {}
