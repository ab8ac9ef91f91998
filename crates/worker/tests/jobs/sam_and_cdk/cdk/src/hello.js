exports.handler = async () => ({ greeting: process.env.GREETING });
