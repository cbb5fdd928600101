// Filled by make proto.
